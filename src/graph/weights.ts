import type { DType } from '../core/dtypes.js'
import { NVLMError } from '../core/errors.js'
import { numElements } from '../core/tensor.js'
import type { GraphBuilder, Value } from './graph-builder.js'
import { concat } from './ops.js'
import { floatTypes, multiply, readFloats } from './weight-formats.js'
import type { FloatPlace, RowRange, WeightPart, WeightPlace, WeightSource } from './weight-source.js'

/** A stored matrix, and the part of it that is multiplied with. */
export interface MatrixOptions {
  /** [rows, columns] as stored. */
  readonly shape: readonly [number, number]
  /** Default: all. */
  readonly rows?: RowRange | undefined
  /** The first columns, as many as are used; default: all. */
  readonly columns?: number | undefined
  readonly use?: 'linear' | 'head' | undefined
  /** float32 [rows]. */
  readonly bias?: Value | undefined
}

/**
 * Makes the stored weights of one module available to a graph: initializers name the place in the files, whose bytes the
 * engine maps. Floats are read as float32; matrices are multiplied with in whatever format the source has them.
 */
export class Weights {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly source: WeightSource,
    private readonly prefix = '',
  ) {}

  /** The weights of a submodule, as in PyTorch: `within('mlp').get('fc1.weight')`. */
  within(module: string): Weights {
    return new Weights(this.graph, this.source, `${this.prefix}${module}.`)
  }

  has(name: string): boolean {
    return this.source.stored(this.prefix + name) !== undefined
  }

  /**
   * The weight as float32.
   *
   * @param shape - the shape it must have
   * @throws {NVLMError} MODEL_INVALID if it is missing or of another shape
   */
  get(name: string, shape: readonly number[]): Value {
    return this.getRows(name, shape, { first: 0, count: shape[0]! })
  }

  /** Some rows of a stored [rows, …] weight as float32. */
  getRows(name: string, shape: readonly number[], rows: RowRange): Value {
    this.check(name, shape, rows)
    const rest = shape.slice(1)
    const part: WeightPart = { use: 'plain', rows, columns: numElements(rest) }
    const pieces = this.source.place(this.prefix + name, part)
    const values = pieces.map((place, index) => {
      const key = this.key(name, shape, rows, pieces, index)
      return readFloats(this.graph, key, place as FloatPlace, [place.rows, ...rest])
    })
    return concat(this.graph, values, 0)
  }

  /**
   * x · weightᵀ (+ bias), float32 [n, columns] → [n, rows].
   *
   * @throws {NVLMError} MODEL_INVALID if the weight is missing or of another shape
   */
  multiply(name: string, x: Value, options: MatrixOptions): Value {
    const { shape, bias, use = 'linear' } = options
    const rows = options.rows ?? { first: 0, count: shape[0] }
    const columns = options.columns ?? shape[1]
    this.check(name, shape, rows, columns)
    const pieces = this.source.place(this.prefix + name, { use, rows, columns })
    const { compute } = this.source
    const [only, ...others] = pieces
    if (others.length === 0) {
      const key = this.key(name, shape, rows, pieces, 0)
      return multiply(this.graph, { key, place: only!, x, bias, columns, compute })
    }
    const products = pieces.map((place, index) => {
      const key = this.key(name, shape, rows, pieces, index)
      return multiply(this.graph, { key, place, x, bias: undefined, columns, compute })
    })
    const y = concat(this.graph, products, 1)
    return bias === undefined ? y : this.graph.op('Add', [y, bias])
  }

  /** Name of one piece in the graph: the tensor's own, with the rows where it is not all of them. */
  private key(
    name: string,
    shape: readonly number[],
    rows: RowRange,
    pieces: readonly WeightPlace[],
    index: number,
  ): string {
    const first = pieces.slice(0, index).reduce((sum, piece) => sum + piece.rows, rows.first)
    const count = pieces[index]!.rows
    const range = count === shape[0] ? '' : `[${first}:${first + count}]`
    return `${this.prefix}${name}${range}`
  }

  /** @param columns - those that are multiplied with; absent for a weight that is read as floats */
  private check(name: string, shape: readonly number[], rows: RowRange, columns?: number): void {
    const stored = this.source.stored(this.prefix + name)
    if (stored === undefined) {
      throw new NVLMError('MODEL_INVALID', `the checkpoint has no tensor "${this.prefix}${name}"`, {
        hint: 'config.json and the weight files do not belong together, or a file is missing: download the model again.',
      })
    }
    if (stored.shape.length !== shape.length || stored.shape.some((size, axis) => size !== shape[axis])) {
      throw new NVLMError(
        'MODEL_INVALID',
        `tensor "${this.prefix}${name}" is [${stored.shape.join(', ')}], config.json asks for [${shape.join(', ')}]`,
        { hint: 'config.json and the weight files do not belong together: download the model again.' },
      )
    }
    const isWhole = rows.first === 0 && rows.count === shape[0] && columns === shape[1]
    if (!isFloat(stored.dtype) && !(stored.packed !== undefined && isWhole)) {
      throw new NVLMError(
        'MODEL_UNSUPPORTED',
        `tensor "${this.prefix}${name}" is ${stored.dtype}; read are F32, F16 and BF16`,
        { hint: 'Use the checkpoint in its original precision.' },
      )
    }
    if (rows.first + rows.count > shape[0]!)
      throw new RangeError(`rows of ${name} end at ${rows.first + rows.count} of ${shape[0]}`)
  }
}

/** Can a graph read this stored type? */
export function isFloat(dtype: DType): dtype is FloatPlace['dtype'] {
  return dtype in floatTypes
}
