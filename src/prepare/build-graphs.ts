import { encodeModel } from '../formats/onnx/encode-model.js'
import { internVitGraph } from '../graph/towers/intern-vit.js'
import { mlpProjectorGraph } from '../graph/towers/mlp-projector.js'
import { qwen2DecoderGraph } from '../graph/towers/qwen2-decoder.js'
import type { WeightSource } from '../graph/weight-source.js'
import type { ModelConfig } from '../models/model-definition.js'
import type { ModelGraphs } from './runnable-model.js'
import type { StageName } from './stage-dtypes.js'

/**
 * The graphs of a model, on weights from wherever the sources say they are.
 *
 * @param dropsDummyHeads - see `InternVitOptions`
 */
export function buildGraphs(
  config: ModelConfig,
  sources: Readonly<Record<StageName, WeightSource>>,
  dropsDummyHeads: boolean,
): ModelGraphs {
  const { vision, decoder, weightPrefixes } = config
  const decoderGraph = encodeModel(qwen2DecoderGraph(decoder, sources.decoder, weightPrefixes.decoder))
  if (vision === undefined) return { decoder: decoderGraph }
  const options = { dropsDummyHeads }
  return {
    vision: encodeModel(internVitGraph(vision.tower, sources.vision, weightPrefixes.vision, options)),
    projector: encodeModel(mlpProjectorGraph(vision.projector, sources.projector, weightPrefixes.projector)),
    decoder: decoderGraph,
  }
}
