import { ImageTiler, type ModelInfo } from 'nvlm-ts'
import { element } from './elements.js'
import { drawOverlay, drawStrip } from './tile-view.js'

const SAMPLES = [
  { url: './pictures/sign.png', alt: 'a sign' },
  { url: './pictures/shapes.png', alt: 'coloured shapes' },
]

/** Holds the picture: dropped, pasted, chosen or a sample; shows it with its tiles. */
export class PicturePanel {
  /** The picture to ask about. */
  picture: Blob | undefined
  #tile: ModelInfo['tile']
  /** Counts pictures, so that tiles of an earlier one don't overtake. */
  #turn = 0
  readonly #stage = element('stage')
  readonly #note = element('tile-note')

  /** @param onChange - called when there is another picture */
  constructor(
    private readonly onChange: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    const file = element<HTMLInputElement>('file')
    file.addEventListener('change', () => this.#take(file.files?.[0]))
    this.#stage.addEventListener('dragover', event => {
      event.preventDefault()
      this.#stage.classList.add('over')
    })
    this.#stage.addEventListener('dragleave', () => this.#stage.classList.remove('over'))
    this.#stage.addEventListener('drop', event => {
      event.preventDefault()
      this.#stage.classList.remove('over')
      this.#take(event.dataTransfer?.files[0])
    })
    document.addEventListener('paste', event => this.#take(event.clipboardData?.files[0]))
    element('show-tiles').addEventListener('change', () => this.#showTiles())
    for (const sample of SAMPLES) this.#addSample(sample)
  }

  /** Cut as this model does from now on. */
  useModel(info: ModelInfo): void {
    this.#tile = info.tile
    void this.#cut()
  }

  #addSample({ url, alt }: (typeof SAMPLES)[number]): void {
    const button = document.createElement('button')
    const image = document.createElement('img')
    Object.assign(image, { src: url, alt: `Sample: ${alt}` })
    button.type = 'button'
    button.append(image)
    button.addEventListener('click', async () => {
      const response = await fetch(url)
      this.#take(await response.blob())
    })
    element('samples').append(button)
  }

  #take(picture: Blob | undefined): void {
    if (!picture) return
    this.picture = picture
    this.onChange()
    void this.#show(picture)
  }

  async #show(picture: Blob): Promise<void> {
    const turn = ++this.#turn
    try {
      const bitmap = await createImageBitmap(picture)
      if (turn !== this.#turn) return
      const canvas = element<HTMLCanvasElement>('picture')
      canvas.width = bitmap.width
      canvas.height = bitmap.height
      canvas.getContext('2d')?.drawImage(bitmap, 0, 0)
      canvas.ariaLabel = picture instanceof File ? picture.name : 'the picture to ask about'
      element('frame').style.setProperty('--aspect', String(bitmap.width / bitmap.height))
      bitmap.close()
      element('drop-note').hidden = true
      element('frame').hidden = false
      await this.#cut()
    } catch (error) {
      this.picture = undefined
      this.onChange()
      this.onError(error)
    }
  }

  /** The model's own tiles of the picture, cut by the same code that feeds the model. */
  async #cut(): Promise<void> {
    const { picture } = this
    if (!picture || !this.#tile) return
    const turn = this.#turn
    const { size, max, tokens } = this.#tile
    const tiles = await new ImageTiler({ tileSize: size, maxTiles: max }).tile(picture)
    if (turn !== this.#turn) return
    const { width, height } = element<HTMLCanvasElement>('picture')
    drawOverlay(element<SVGSVGElement>('overlay'), tiles, width, height)
    drawStrip(element('strip'), tiles)
    const grid =
      tiles.numTiles === 1
        ? 'one tile'
        : `${tiles.columns} × ${tiles.rows} tiles${tiles.thumbnail ? ' and a thumbnail' : ''}`
    this.#note.textContent = `${width} × ${height} pixels, cut into ${grid} of ${size} pixels: ${tiles.numTiles * tokens} image tokens`
    this.#showTiles()
  }

  #showTiles(): void {
    const shown = element<HTMLInputElement>('show-tiles').checked
    for (const id of ['overlay', 'strip']) element(id).toggleAttribute('hidden', !shown)
  }
}
