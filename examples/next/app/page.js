'use client'
import { useState } from 'react'

export default function Page() {
  const [answer, setAnswer] = useState('')

  async function ask(event) {
    event.preventDefault()
    setAnswer('')
    const response = await fetch('/api/ask', { method: 'POST', body: new FormData(event.currentTarget) })
    if (!response.ok) return setAnswer((await response.json()).error)
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) setAnswer(before => before + text)
  }

  return (
    <form onSubmit={ask}>
      <input type="file" name="image" accept="image/*" aria-label="picture" />
      <input name="question" defaultValue="What does the sign say?" aria-label="question" />
      <button type="submit">Ask</button>
      <output>{answer}</output>
    </form>
  )
}
