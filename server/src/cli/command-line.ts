import { parseArgs, stripVTControlCharacters } from 'node:util'
import { type CommandDef, type CommandMeta, renderUsage, runCommand } from 'citty'
import { messageOf } from './run.ts'

/** A command of any options. */
type Command = CommandDef
type Found = { readonly path: readonly string[]; readonly command: Command; readonly rest: readonly string[] }

/**
 * Runs what a command line asks for. Words that no command knows are refused and not passed over: somebody who
 * mistypes `--publishable` must not get a secret key. Exits with 1 after anything that was wrong.
 */
export async function runCommandLine(
  root: Command,
  meta: { readonly name: string; readonly version: string; readonly hint: string },
  argv: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const { path, command, rest } = await find(root, [meta.name], argv)
  const usage = async () => {
    const text = await usageOf(path, command, meta.version)
    return path.length === 1 ? `${text}\n\n${meta.hint}` : text
  }
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
    console.log(meta.version)
    return
  }
  if (rest.some((word) => word === '--help' || word === '-h')) {
    console.log(`${await usage()}\n`)
    return
  }
  if (argv.length === 0) {
    console.error(`${await usage()}\n`)
    process.exit(1)
  }
  const wrong = command.subCommands ? wrongCommand(rest) : await wrongWords(command, rest)
  try {
    if (wrong !== undefined) throw new Error(wrong)
    await runCommand(command, { rawArgs: [...rest] })
  } catch (error) {
    const isUsage = wrong !== undefined || (error instanceof Error && error.name === 'CLIError')
    const help = isUsage ? `\nSee: ${path.join(' ')} --help` : ''
    console.error(`${stripVTControlCharacters(messageOf(error))}${help}`)
    process.exit(1)
  }
}

/** The command that the words lead to, and the words that are left for it. */
async function find(command: Command, path: readonly string[], words: readonly string[]): Promise<Found> {
  const subCommands = await resolve(command.subCommands)
  const [name = '', ...rest] = words
  if (!subCommands || !Object.hasOwn(subCommands, name)) return { path, command, rest: words }
  const next = (await resolve(subCommands[name])) as Command
  return find(next, [...path, name], rest)
}

function wrongCommand([name]: readonly string[]): string {
  if (name === undefined) return 'Which command?'
  return name.startsWith('-') ? `Unknown option ${name}` : `Unknown command ${name}`
}

/** What is wrong with a command's own words; undefined when nothing is. */
async function wrongWords(command: Command, words: readonly string[]): Promise<string | undefined> {
  const args = Object.entries((await resolve(command.args)) ?? {})
  const options = args.filter(([, { type }]) => type !== 'positional')
  const most = args.length - options.length
  try {
    const { positionals } = parseArgs({
      args: [...words],
      options: Object.fromEntries(
        options.map(([name, { type }]) => [name, { type: type === 'boolean' ? 'boolean' : 'string' }]),
      ),
      allowPositionals: true,
    })
    return positionals.length > most ? `Too many words: what is ${positionals[most]} for?` : undefined
  } catch (error) {
    // Only the first sentence: the others tell how to pass on a word that begins with a dash.
    return messageOf(error).split('. ')[0]
  }
}

/** The help of one command, without colours where nobody looks at it. */
async function usageOf(path: readonly string[], command: Command, version: string): Promise<string> {
  const meta: CommandMeta = (await resolve(command.meta)) ?? {}
  const named: Command = {
    ...command,
    meta: { ...meta, name: path.at(-1) ?? '', version },
    ...(command.subCommands ? { subCommands: await shortened(command.subCommands) } : {}),
  }
  const above = path.slice(0, -1).join(' ')
  const text = await renderUsage(named, above === '' ? undefined : { meta: { name: above } })
  const plain = process.stdout.isTTY ? text : stripVTControlCharacters(text)
  return plain
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim()
}

/** A list of the commands that are for people, each with the first sentence of its description. */
async function shortened(subCommands: NonNullable<Command['subCommands']>): Promise<Record<string, Command>> {
  const short = Object.entries(await resolve(subCommands)).map(async ([name, sub]) => {
    const { description = '', hidden = false }: CommandMeta = (await resolve((await resolve(sub)).meta)) ?? {}
    const first = `${description.split('. ')[0]?.replace(/\.$/, '')}`
    return hidden ? [] : [[name, { meta: { description: first } }] as const]
  })
  return Object.fromEntries((await Promise.all(short)).flat())
}

/** A value that citty lets one give as it is or as a function. */
async function resolve<T>(value: T | Promise<T> | (() => T) | (() => Promise<T>)): Promise<T> {
  return typeof value === 'function' ? (value as () => T | Promise<T>)() : value
}
