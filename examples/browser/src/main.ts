import { NVLMError } from 'nvlm-ts'
import { element } from './elements.js'
import { ModelPanel } from './model-panel.js'
import { PicturePanel } from './picture-panel.js'
import { TalkPanel } from './talk-panel.js'

/** Tell what went wrong and what to do about it. */
function showError(error: unknown): void {
  const hint = NVLMError.isInstance(error) ? error.hint : undefined
  const message = error instanceof Error ? error.message : String(error)
  const box = element('error')
  box.textContent = hint ? `${message}\n${hint}` : message
  box.hidden = false
}

const pictures = new PicturePanel(() => talk.refresh(), showError)
const talk = new TalkPanel(() => {
  const { nvlm } = models
  const { picture } = pictures
  return nvlm && picture ? { nvlm, picture } : undefined
}, showError)
const models = new ModelPanel((nvlm, { questions }) => {
  if (nvlm) pictures.useModel(nvlm.info)
  talk.suggest(questions)
}, showError)
void models.load()
