import * as z from 'zod'
import type { InternVitNames } from '../../graph/towers/intern-vit.js'
import type { MlpProjectorNames } from '../../graph/towers/mlp-projector.js'
import { optional, parseFields, requireSetting, size } from '../config-fields.js'
import { languageModelOfType } from '../language-models.js'
import type { LanguageModel, ModelDefinition, WeightNames } from '../model-definition.js'
import { visionConfig, visionTowerFields } from '../vision-config.js'
import { internvlNativePromptFormat } from './prompt.js'
import { internvlVisionTraits } from './vision-traits.js'

/** Both sides of a square, or one number for both. */
const side = z
  .union([size, z.tuple([size, size]).refine(([height, width]) => height === width, 'is not square')])
  .transform(value => (typeof value === 'number' ? value : value[0]))

/** @see huggingface/transformers v4.52 `configuration_internvl.py` */
const nativeFields = z.object({
  vision_config: z.object({
    hidden_size: size,
    intermediate_size: size,
    num_hidden_layers: size.max(1000),
    num_attention_heads: size.max(1024),
    image_size: side,
    patch_size: side,
    num_channels: optional(z.number(), 3),
    norm_type: optional(z.string(), 'layer_norm'),
    layer_norm_eps: optional(z.number().positive().max(1), 1e-6),
    hidden_act: optional(z.string(), 'gelu'),
    use_qk_norm: optional(z.boolean(), false),
    attention_bias: optional(z.boolean(), false),
    use_mean_pooling: optional(z.boolean(), true),
    use_absolute_position_embeddings: optional(z.boolean(), true),
  }),
  text_config: z.unknown(),
  downsample_ratio: optional(z.number().positive().max(1), 0.5),
  projector_hidden_act: optional(z.string(), 'gelu'),
  vision_feature_layer: optional(z.number().int(), -1),
  vision_feature_select_strategy: optional(z.string(), 'default'),
})

/** @see huggingface/transformers v4.52 `image_processing_got_ocr2_fast.py`; the processor turns `crop_to_patches` on */
const preprocessorFields = z.object({
  min_patches: optional(size.max(1000), 1),
  max_patches: optional(size.max(1000), 12),
})

/** InternVL as transformers has it built in: the checkpoints whose names end in `-hf`. */
export const internvlNative: ModelDefinition = {
  family: 'internvl-hf',
  modelTypes: ['internvl'],
  parseConfig({ config, preprocessor, source }) {
    const fields = parseFields(nativeFields, config, source)
    const limits = parseFields(preprocessorFields, preprocessor ?? {}, 'preprocessor_config.json')
    const { vision_config: tower } = fields
    requireSetting(source, 'projector_hidden_act', fields.projector_hidden_act, ['gelu'])
    requireSetting(source, 'vision_feature_select_strategy', fields.vision_feature_select_strategy, [
      'default',
    ])
    requireSetting(source, 'vision_config.use_mean_pooling', tower.use_mean_pooling, [true])
    requireSetting(
      source,
      'vision_config.use_absolute_position_embeddings',
      tower.use_absolute_position_embeddings,
      [true],
    )
    const textSource = `${source}: text_config`
    const languageModel = languageModelOfType(fields.text_config, textSource)
    // transformers has no window where `use_sliding_window` is false
    const decoder = {
      ...languageModel.parseConfig(fields.text_config, textSource),
      attentionWindow: undefined,
    }
    const official = {
      vision_config: visionTowerFields.parse({
        ...tower,
        qk_normalization: tower.use_qk_norm,
        qkv_bias: tower.attention_bias,
      }),
      downsample_ratio: fields.downsample_ratio,
      ps_version: 'v2',
      select_layer: fields.vision_feature_layer,
      min_dynamic_patch: limits.min_patches,
      max_dynamic_patch: limits.max_patches,
      use_thumbnail: true,
    } as const
    const vision = visionConfig(official, decoder, internvlVisionTraits, source)
    return {
      family: 'internvl-hf',
      decoder,
      vision,
      weightNames: [nativeNames(languageModel, 'first'), nativeNames(languageModel, 'model')],
      promptFormat: internvlNativePromptFormat({ imageTokensPerTile: vision.tokensPerTile }),
      tokenizer: { skipHashMerges: false },
    }
  },
}

const visionNames = (tower: string): InternVitNames => ({
  classToken: `${tower}.embeddings.cls_token`,
  positions: `${tower}.embeddings.position_embeddings`,
  patches: `${tower}.embeddings.patch_embeddings.projection`,
  layers: `${tower}.encoder.layer`,
  norm1: 'layernorm_before',
  qkv: { layout: 'separate', names: ['attention.q_proj', 'attention.k_proj', 'attention.v_proj'] },
  queryNorm: 'attention.q_norm',
  keyNorm: 'attention.k_norm',
  output: 'attention.projection_layer',
  scale1: 'lambda_1',
  norm2: 'layernorm_after',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
  scale2: 'lambda_2',
})

const projectorNames = (module: string): MlpProjectorNames => ({
  norm: `${module}.layer_norm`,
  up: `${module}.linear_1`,
  down: `${module}.linear_2`,
})

/** The published checkpoints have the parts side by side; later versions save all but the output layer inside `model`. */
function nativeNames(languageModel: LanguageModel, layout: 'first' | 'model'): WeightNames {
  if (layout === 'first') {
    return {
      vision: visionNames('vision_tower'),
      projector: projectorNames('multi_modal_projector'),
      decoder: languageModel.names({ model: 'language_model.model', head: 'language_model.' }),
    }
  }
  return {
    vision: visionNames('model.vision_tower'),
    projector: projectorNames('model.multi_modal_projector'),
    decoder: languageModel.names({ model: 'model.language_model', head: '' }),
  }
}
