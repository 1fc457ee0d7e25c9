import type { DType } from '../core/dtypes.js'
import { NVLMError } from '../core/errors.js'
import type { OnnxDataType } from '../formats/onnx/onnx-model.js'
import type { GraphBuilder, Value } from './graph-builder.js'

/** Where a stored weight lies; `file` is relative to the folder that the graph is loaded with. */
export interface WeightPlace {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly file: string
  /** First byte in the file. */
  readonly offset: number
}

/** Stored element types that a graph can read, with their bytes an element. */
const READABLE: Partial<Record<DType, { readonly type: OnnxDataType; readonly bytes: number }>> = {
  F32: { type: 'float32', bytes: 4 },
  F16: { type: 'float16', bytes: 2 },
  BF16: { type: 'bfloat16', bytes: 2 },
}

/** A range of rows of a matrix: [first, first + count). */
export interface RowRange {
  readonly first: number
  readonly count: number
}

/**
 * Makes the stored weights of one module available to a graph without copying them: initializers name the place in
 * the checkpoint's own files. F32 is read in place; BF16 and F16 pass a Cast that the engine folds at load.
 */
export class Weights {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly places: ReadonlyMap<string, WeightPlace>,
    private readonly prefix: string,
  ) {}

  /** The weights of a submodule, as in PyTorch: `within('mlp').get('fc1.weight')`. */
  within(module: string): Weights {
    return new Weights(this.graph, this.places, `${this.prefix}${module}.`)
  }

  has(name: string): boolean {
    return this.places.has(this.prefix + name)
  }

  /**
   * The weight as float32.
   *
   * @param shape - the shape it must have
   * @throws {NVLMError} MODEL_INVALID if it is missing or of another shape
   */
  get(name: string, shape: readonly number[]): Value {
    const place = this.find(name, shape)
    return this.read(this.prefix + name, place, shape, place.offset)
  }

  /** Some rows of a stored [rows, …] weight as float32; they lie in one piece, so nothing is copied. */
  getRows(name: string, shape: readonly number[], rows: RowRange): Value {
    const place = this.find(name, shape)
    const [numRows = 0, ...rest] = shape
    const rowBytes = (rest.reduce((a, b) => a * b, 1) * READABLE[place.dtype]!.bytes) as number
    if (rows.first + rows.count > numRows)
      throw new RangeError(`rows of ${name} end at ${rows.first + rows.count} of ${numRows}`)
    const key = `${this.prefix}${name}[${rows.first}:${rows.first + rows.count}]`
    return this.read(key, place, [rows.count, ...rest], place.offset + rows.first * rowBytes)
  }

  private find(name: string, shape: readonly number[]): WeightPlace {
    const place = this.places.get(this.prefix + name)
    if (place === undefined) {
      throw new NVLMError('MODEL_INVALID', `the checkpoint has no tensor "${this.prefix}${name}"`, {
        hint: 'config.json and the weight files do not belong together, or a file is missing: download the model again.',
      })
    }
    if (place.shape.length !== shape.length || place.shape.some((size, axis) => size !== shape[axis])) {
      throw new NVLMError(
        'MODEL_INVALID',
        `tensor "${this.prefix}${name}" is [${place.shape.join(', ')}], config.json asks for [${shape.join(', ')}]`,
        { hint: 'config.json and the weight files do not belong together: download the model again.' },
      )
    }
    if (READABLE[place.dtype] === undefined) {
      throw new NVLMError(
        'MODEL_UNSUPPORTED',
        `tensor "${this.prefix}${name}" is ${place.dtype}; read are F32, F16 and BF16`,
        {
          hint: 'Use the checkpoint in its original precision.',
        },
      )
    }
    return place
  }

  private read(key: string, place: WeightPlace, shape: readonly number[], offset: number): Value {
    const { type, bytes } = READABLE[place.dtype]!
    const byteLength = shape.reduce((a, b) => a * b, 1) * bytes
    const stored = this.graph.external(key, type, shape, { file: place.file, offset, byteLength })
    return type === 'float32' ? stored : this.graph.op('Cast', [stored], { attributes: { to: 1 } })
  }
}
