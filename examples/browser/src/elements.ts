/** The element with this id; the page's markup has it. */
export function element<E extends Element = HTMLElement>(id: string): E {
  const found = document.getElementById(id)
  if (!found) throw new Error(`index.html has no element with the id "${id}"`)
  return found as unknown as E
}

/** A button for a choice, small. */
export function chip(label: string, onClick: () => void): HTMLButtonElement {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'chip'
  button.textContent = label
  button.addEventListener('click', onClick)
  return button
}
