import { invariant } from '../core/errors.js'
import type {
  OnnxAttribute,
  OnnxDataType,
  OnnxDim,
  OnnxExternalData,
  OnnxInitializer,
  OnnxModel,
  OnnxNode,
  OnnxValueInfo,
} from '../formats/onnx/onnx-model.js'

/** A value of a graph under construction, known by its name. */
export interface Value {
  readonly name: string
}

/** ONNX operator set that the graphs are written in. */
const OPSETS = { '': 21, 'com.microsoft': 1 } as const

/** Mark an attribute as FLOAT; bare numbers are written as INT. */
export function float(value: number): OnnxAttribute {
  return { float: value }
}

/** How a node is made, beside its inputs. */
export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>
  /** `com.microsoft` for ONNX Runtime's own operators. */
  readonly domain?: keyof typeof OPSETS
  /** Outputs that are left out, by their place. */
  readonly unused?: readonly number[]
}

/** Collects the nodes and constants of one graph. Constants of equal content are stored once. */
export class GraphBuilder {
  private readonly nodes: OnnxNode[] = []
  private readonly initializers = new Map<string, OnnxInitializer>()
  private readonly inputs: OnnxValueInfo[] = []
  private readonly outputs: OnnxValueInfo[] = []
  private numValues = 0

  constructor(private readonly name: string) {}

  /** Declare an input. A dimension given as text has a size known only at run time. */
  input(name: string, type: OnnxDataType, dims: readonly OnnxDim[]): Value {
    this.inputs.push({ name, type, dims })
    return { name }
  }

  /** Make `value` an output under `name`. */
  output(name: string, value: Value, type: OnnxDataType, dims: readonly OnnxDim[]): void {
    this.nodes.push({
      opType: 'Identity',
      domain: '',
      name: `output.${name}`,
      inputs: [value.name],
      outputs: [name],
      attributes: {},
    })
    this.outputs.push({ name, type, dims })
  }

  /** Add a node with one output. An `undefined` input is an optional one left out. */
  op(opType: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value {
    const [output] = this.ops(opType, inputs, 1, options)
    invariant(output, `${opType} has one output`)
    return output
  }

  /** Add a node with several outputs. */
  ops(
    opType: string,
    inputs: readonly (Value | undefined)[],
    numOutputs: number,
    options: NodeOptions = {},
  ): Value[] {
    const name = `${opType}_${this.numValues++}`
    const outputs = Array.from({ length: numOutputs }, (_, index) =>
      options.unused?.includes(index) ? '' : `${name}:${index}`,
    )
    this.nodes.push({
      opType,
      domain: options.domain ?? '',
      name,
      inputs: inputs.map(input => input?.name ?? ''),
      outputs,
      attributes: options.attributes ?? {},
    })
    return outputs.map(output => ({ name: output }))
  }

  /** Small int64 constant: shapes, axes, indices. */
  ints(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    const name = `int64[${dims.join('x')}]=${values.join(',')}`
    if (!this.initializers.has(name)) {
      const data = new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer)
      this.initializers.set(name, { name, type: 'int64', dims, data })
    }
    return { name }
  }

  /** Float32 scalar constant. */
  float(value: number): Value {
    const name = `float32=${value}`
    if (!this.initializers.has(name)) {
      this.initializers.set(name, {
        name,
        type: 'float32',
        dims: [],
        data: new Uint8Array(new Float32Array([value]).buffer),
      })
    }
    return { name }
  }

  /** Unsigned byte, a scalar constant. */
  byte(value: number): Value {
    const name = `uint8=${value}`
    if (!this.initializers.has(name)) {
      this.initializers.set(name, { name, type: 'uint8', dims: [], data: Uint8Array.of(value) })
    }
    return { name }
  }

  /** Constant whose bytes lie in another file. `name` must belong to this place only. */
  external(name: string, type: OnnxDataType, dims: readonly number[], data: OnnxExternalData): Value {
    this.initializers.set(name, { name, type, dims, data })
    return { name }
  }

  /** The finished graph. */
  build(): OnnxModel {
    invariant(this.outputs.length > 0, `graph ${this.name} has an output`)
    return {
      name: this.name,
      opsets: OPSETS,
      inputs: this.inputs,
      outputs: this.outputs,
      initializers: [...this.initializers.values()],
      nodes: this.nodes,
    }
  }
}
