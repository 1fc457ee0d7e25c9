import type { Command, Flag } from './command.js'
import { type Output, paint } from './output.js'

/** What `nvlm --help` prints. */
export function generalHelp(output: Output, commands: readonly Command[]): string {
  const width = Math.max(...commands.map(command => command.name.length))
  const lines = commands.map(command => `  ${command.name.padEnd(width)}  ${command.summary}`)
  return [
    'Run NVLM-D and InternVL vision-language checkpoints.',
    '',
    `${title(output, 'Usage')}  nvlm <command> [options]`,
    '',
    title(output, 'Commands'),
    ...lines,
    '',
    title(output, 'Options'),
    '  --help     this help, or that of a command',
    '  --version  the version',
    '',
    'NVLM_DEBUG=1 shows the stack of an error, NO_COLOR=1 turns colours off.',
    '',
  ].join('\n')
}

/** What `nvlm <command> --help` prints. */
export function commandHelp(output: Output, command: Command): string {
  const usage = ['nvlm', command.name, command.operands, '[options]'].filter(Boolean).join(' ')
  const names = [...command.flags, { name: 'help', help: 'this help' }].map(flag => [nameOf(flag), flag.help])
  const width = Math.max(...names.map(([name]) => name!.length))
  return [
    command.summary,
    '',
    `${title(output, 'Usage')}  ${usage}`,
    ...(command.notes ? ['', ...command.notes] : []),
    '',
    title(output, 'Options'),
    ...names.map(([name, help]) => `  ${name!.padEnd(width)}  ${help}`),
    '',
  ].join('\n')
}

function nameOf(flag: Flag): string {
  return flag.value ? `--${flag.name} <${flag.value}>` : `--${flag.name}`
}

function title(output: Output, text: string): string {
  return paint(output, 'bold', text)
}
