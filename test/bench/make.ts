import { makeModel } from './model/make-model.js'
import { parseOptions } from './options.js'

await makeModel(parseOptions(process.argv.slice(2)))
