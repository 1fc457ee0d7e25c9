import type { VisionTraits } from '../vision-config.js'

/**
 * The picture side of all InternVL checkpoints, whoever names the tensors.
 *
 * @see OpenGVLab/InternVL `internvl_chat/internvl/model/internvl_chat/modeling_internvl_chat.py`
 */
export const internvlVisionTraits: VisionTraits = {
  fusion: 'self-attention',
  numDummyHeads: 0,
  interpolatesPositions: true,
  followsNormFields: true,
  projectorHasBias: true,
  projectorIntermediateSize: decoder => decoder.hiddenSize,
}
