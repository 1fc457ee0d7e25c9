import { NVLM } from 'nvlm-ts'

/** @type {HTMLInputElement} */
const model = find('#model')
/** @type {HTMLButtonElement} */
const ask = find('#ask')
/** @type {HTMLOutputElement} */
const answer = find('#answer')

ask.addEventListener('click', async () => {
  const nvlm = await NVLM.load(model.value)
  for await (const text of nvlm.generate({ prompt: 'hello', maxTokens: 6 })) answer.append(text)
  await nvlm.dispose()
  answer.dataset.state = 'done'
})

/**
 * @template {HTMLElement} Found
 * @param {string} selector
 * @returns {Found}
 */
function find(selector) {
  return /** @type {Found} */ (document.querySelector(selector))
}
