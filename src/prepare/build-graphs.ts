import { invariant } from '../core/errors.js'
import { encodeModel } from '../formats/onnx/encode-model.js'
import { crossKeysGraph } from '../graph/towers/cross-keys.js'
import { internVitGraph } from '../graph/towers/intern-vit.js'
import { llamaDecoderGraph } from '../graph/towers/llama-decoder.js'
import { mlpProjectorGraph } from '../graph/towers/mlp-projector.js'
import type { WeightSource } from '../graph/weight-source.js'
import type { ModelConfig, WeightNames } from '../models/model-definition.js'
import type { GraphName } from './graph-names.js'
import type { BatchGraphs, ModelGraphs } from './runnable-model.js'

/**
 * The graphs of a model, on weights from wherever the sources say they are.
 *
 * @param dropsDummyHeads - see `InternVitOptions`
 */
export function buildGraphs(
  config: ModelConfig,
  names: WeightNames,
  sources: Readonly<Record<GraphName, WeightSource>>,
  dropsDummyHeads: boolean,
): ModelGraphs {
  const { vision, decoder } = config
  const decoderGraphs = {
    decoder: encodeModel(llamaDecoderGraph(decoder, sources.decoder, names.decoder)),
    ...(decoder.crossAttention && {
      crossKeys: encodeModel(crossKeysGraph(decoder, sources.crossKeys, names.decoder)),
    }),
  }
  if (vision === undefined) return decoderGraphs
  invariant(names.vision && names.projector, 'a family with a picture side names its tensors')
  const options = { dropsDummyHeads }
  return {
    vision: encodeModel(internVitGraph(vision.tower, sources.vision, names.vision, options)),
    projector: encodeModel(mlpProjectorGraph(vision.projector, sources.projector, names.projector)),
    ...decoderGraphs,
  }
}

/** The decoder for several sequences at once; undefined for a model whose decoder takes one at a time. */
export function batchGraphs(
  { decoder }: ModelConfig,
  names: WeightNames,
  source: WeightSource,
): BatchGraphs | undefined {
  if (decoder.crossAttention) return undefined
  return async numSlots => encodeModel(llamaDecoderGraph(decoder, source, names.decoder, numSlots))
}
