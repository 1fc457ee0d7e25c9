/** A model that the page offers. */
export interface ModelChoice {
  readonly label: string
  /** Address of a prepared folder; absent: the visitor types one. */
  readonly url?: string
  readonly hint: string
  readonly questions: readonly string[]
}

const ANY_QUESTIONS = [
  'What is in this picture?',
  'What does the text say?',
  'Describe the picture in one sentence.',
]

/** What `nvlm prepare` makes of InternVL is served beside the page, or from anywhere that allows it (CORS, Range). */
export const MODELS: readonly ModelChoice[] = [
  {
    label: 'nvlm-tiny (comes with the package)',
    url: './models/nvlm-tiny/',
    hint: 'Reads signs with large print, and knows circles, squares, triangles and stars in six colours. Nothing else.',
    questions: [
      'What does the sign say?',
      'Describe the picture.',
      'How many shapes are there?',
      'What colour is the star?',
    ],
  },
  {
    label: 'InternVL3-1B (your own copy)',
    url: './models/InternVL3-1B/',
    hint: 'Make it with: npx nvlm prepare InternVL3-1B --out public/models/InternVL3-1B --dtype q4 (in examples/browser)',
    questions: ANY_QUESTIONS,
  },
  {
    label: 'another prepared folder…',
    hint: 'A folder that nvlm prepare made with a --dtype, served with Range requests, and with CORS if it lies elsewhere.',
    questions: ANY_QUESTIONS,
  },
]
