// The page: plain web, with `window.nvlm` of the preload script.
const [form, image, question, stop, answer] = ['form', 'image', 'question', 'stop', 'answer'].map(id =>
  document.getElementById(id),
)

form.addEventListener('submit', async event => {
  event.preventDefault()
  answer.textContent = ''
  const [file] = image.files
  const bytes = file && new Uint8Array(await file.arrayBuffer())
  try {
    await window.nvlm.ask(question.value, bytes, text => {
      answer.textContent += text
    })
  } catch (error) {
    answer.textContent = error.message
  }
})
stop.addEventListener('click', () => window.nvlm.stop())
