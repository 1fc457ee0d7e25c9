/** The part of the public API that is the same on every platform. */
export type {
  Backend,
  BackendTensor,
  Device,
  GraphSource,
  Session,
  SessionOptions,
  SessionTensor,
  TensorType,
} from './backend/backend.js'
export type { DeviceData, DeviceMemory, FloatCopy, Floats } from './backend/device-memory.js'
export { type ErrorCode, type ErrorDetails, NVLMError, type NVLMErrorOptions } from './core/errors.js'
export type { FloatTensor } from './core/tensor.js'
export { Decoder } from './decoder/decoder.js'
export type { CrossImage, DecoderState, PrefillInput, PrefillOptions } from './decoder/decoder-state.js'
export type { JSONSchema } from './generation/json-schema/json-schema.js'
export { parsePartialJSON } from './generation/partial-json.js'
export type { PromptLookupOptions } from './generation/prompt-lookup.js'
export type { SamplingOptions } from './generation/sampling-options.js'
export type { DownloadProgress } from './hub/download-progress.js'
export type { HubOptions } from './hub/hub-options.js'
export type { ModelLicense } from './hub/model-card.js'
export type { ImageTilerOptions, TileCallOptions, TileOptions } from './image/image-tiler-options.js'
export { type TileBox, tileBoxes } from './image/tile-boxes.js'
export type { Tiles } from './image/tiles.js'
export type { Fusion } from './models/fusion.js'
export {
  type PublishedCheckpoint,
  type PublishedLanguageModel,
  type PublishedVisionTower,
  publishedCheckpoints,
} from './models/published-checkpoints.js'
export type { CacheOptions } from './nvlm/cache-options.js'
export { type ChatInput, type ChatOptions, ChatSession, type SendOptions } from './nvlm/chat-session.js'
export type { DeviceFit } from './nvlm/device-fit.js'
export type { DownloadOptions } from './nvlm/download-model.js'
export type {
  EngineStatus,
  FinishReason,
  GenerateResult,
  ImageEmbeddings,
  Timings,
  Usage,
} from './nvlm/engine-client.js'
export type { FilterContext, FilteredMessages, GenerationFilter } from './nvlm/filters.js'
export { frameParts } from './nvlm/frame-parts.js'
export type { GenerateOptions, PromptOptions } from './nvlm/generate-options.js'
export { Generation } from './nvlm/generation.js'
export type {
  GenerationEvents,
  GenerationProgress,
  GenerationStatus,
  TokenEvent,
} from './nvlm/generation-events.js'
export { type Grounding, type GroundingBox, parseGrounding } from './nvlm/grounding.js'
export type { EmbedOptions, PrepareImageOptions } from './nvlm/image-options.js'
export type { InspectOptions, ModelInspection } from './nvlm/inspect-model.js'
export type { LoadOptions } from './nvlm/load-options.js'
export type { Logger } from './nvlm/logger.js'
export type {
  ContentPartInput,
  FilePartInput,
  ImagePartInput,
  ImageUrlPartInput,
  MessageInput,
  TextPartInput,
} from './nvlm/message-input.js'
export type { ModelNeeds } from './nvlm/model-needs.js'
export type { ChoiceResult, FormatOptions, ObjectResult } from './nvlm/output-options.js'
export type { ObjectOf, PartialValue } from './nvlm/partial-objects.js'
export { PreparedImage } from './nvlm/prepared-image.js'
export type { InferSchema, SchemaInput, StandardSchema } from './nvlm/schema-input.js'
export type { LicenseNotice, SourceOptions } from './nvlm/source-options.js'
export type { LoadProgress, StageOptions } from './nvlm/stage-options.js'
export type { ModelInfo, PartName, Stages } from './nvlm/stages.js'
export type { ErrorPart, ReadableStreamOptions, ResponseOptions, StreamFormat } from './nvlm/stream-format.js'
export type { StreamPart } from './nvlm/stream-parts.js'
export type {
  GenerateErrorMessage,
  GenerateFinishMessage,
  GenerateStartMessage,
  LoadMessage,
  RecordedMessage,
  TelemetryMessages,
  TelemetryOptions,
} from './nvlm/telemetry.js'
export type { LogprobEntry, TokenLogprob } from './nvlm/token-logprob.js'
export {
  type AnyTool,
  type Tool,
  type ToolCall,
  type ToolCallOf,
  type ToolContext,
  type ToolResult,
  type ToolResultOf,
  type ToolSet,
  type ToolsResult,
  tool,
} from './nvlm/tool-types.js'
export type { ToolChoice, ToolOptions } from './nvlm/tools.js'
export type {
  BlobLike,
  ImageInput,
  PixelsLike,
  PreparedImageLike,
  SharpLike,
  VideoFrameLike,
} from './platform/image-input.js'
export type { Manifest } from './prepare/manifest.js'
export type { PrepareOptions, PrepareProgress } from './prepare/prepare-options.js'
export type { DtypeOption, PresetName, StageDtype, StageDtypes, StageName } from './prepare/stage-dtypes.js'
export type { FileVerification, Verification, VerifyOptions } from './prepare/verify-model.js'
export { Projector } from './projector/projector.js'
export type { RemoteDialect, RemoteLoadOptions, RemoteOptions } from './remote/remote-options.js'
export type { EncodedPrompt, PicturePlaces, TagPlaces } from './tokenizer/encoded-prompt.js'
export type { ContentPart, Message } from './tokenizer/messages.js'
export type { EncodeOptions } from './tokenizer/tokenizer.js'
export type { ToolCallMessagePart, ToolDefinition } from './tokenizer/tools.js'
export { VisionEncoder } from './vision/vision-encoder.js'
