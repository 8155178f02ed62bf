import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Section, sections, type Setting } from '../server/src/config-kinds.ts'
import { settingList } from '../server/src/config-schema.ts'

const root = dirname(import.meta.dirname)

/** The files made from the table of settings: path from the root of the repository, and content. */
export function renderConfigDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/configuration.md', renderManual()],
    ['.env.example', renderExample()],
  ])
}

const introduction = `<!-- Made by scripts/generate-config-docs.ts from server/src/config-schema.ts: change the table there. -->

# Configuration

Countersign is configured by environment variables, read once when it starts; a \`.env\` file in the working
directory is read too, and what the environment already says wins over it. Nothing is required on a developer's
machine. If anything is wrong, the server does not start and names every key that is, all at once.

## How values are read

- Spaces around a value do not count. Lists are separated by commas.
- Numbers are whole numbers in plain digits within the range given: \`5m\`, \`1e3\`, \`-1\` and an empty value are refused.
  There is no number that stands for "no limit".
- Booleans are \`true\` or \`false\` (\`1\`, \`0\`, \`yes\` and \`no\` are understood).
- An empty text or list counts as not given, because platforms set such variables. An empty number, boolean or
  choice is refused.
- **Secrets** (marked 🔒) can be read from a file: put its path in the variable of the same name with \`_FILE\` at its
  end, for example \`SECRET_KEY_FILE=/run/secrets/secret_key\`. Spaces and line breaks around the content do not count.
  Giving both is refused. Problems never show a secret.
- A setting with several names may be given under any one of them. If two are given and differ, the start is
  refused, naming both.
- A variable that is no setting but looks like one (\`TWILIO_…\`, \`SMS_…\`, \`VONAGE_…\` and
  the like, or a slip away from a name below) is
  warned of in the log.
`

function renderManual(): string {
  const chapters = sectionNames().map(([section, title]) => renderSection(section, title))
  return `${[introduction.trim(), ...chapters, renderProduction(), renderOlderNames()].join('\n\n')}\n`
}

function sectionNames(): (readonly [Section, string])[] {
  return Object.keys(sections)
    .filter((name): name is Section => Object.hasOwn(sections, name))
    .map((name) => [name, sections[name]] as const)
}

function settingsIn(section: Section): (readonly [string, Setting])[] {
  return settingList.filter(([, setting]) => setting.section === section)
}

function renderSection(section: Section, title: string): string {
  const rows = settingsIn(section).map(([key, setting]) => {
    const older = setting.older.map((name) => `\`${name}\``).join(', ')
    const about = older === '' ? setting.about : `${setting.about} Also: ${older}.`
    const name = setting.secret ? `\`${key}\` 🔒` : `\`${key}\``
    return row([name, setting.fallbackText === '' ? '–' : setting.fallbackText, setting.accepts, about])
  })
  return [`## ${title}`, table(['Setting', 'Default', 'Accepts', 'What it does'], rows)].join('\n\n')
}

function renderProduction(): string {
  const rows = settingList
    .filter(([, { inProduction }]) => inProduction !== undefined)
    .map(([key, { inProduction }]) => row([`\`${key}\``, inProduction ?? '']))
  const intro = `With \`NODE_ENV=production\` the start is refused for whatever is only safe on a developer's machine:`
  return ['## What production asks for', intro, table(['Setting', 'In production'], rows)].join('\n\n')
}

function renderOlderNames(): string {
  const rows = settingList.flatMap(([key, { older }]) =>
    older.map((name) => row([`\`${name}\``, `\`${key}\``])),
  )
  return ['## Other names', 'They keep working.', table(['Name', 'Means'], rows)].join('\n\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function table(titles: readonly string[], rows: readonly string[]): string {
  return [row(titles), `|${' --- |'.repeat(titles.length)}`, ...rows].join('\n')
}

function renderExample(): string {
  const head = [
    '# Settings of Countersign: copy to .env and take the # off the lines you need.',
    '# Nothing is required on a developer’s machine. The whole manual: docs/configuration.md',
  ]
  const chapters = sectionNames().map(([section, title]) => {
    const lines = settingsIn(section).map(([key, setting]) => renderExampleSetting(key, setting))
    return [`# ==== ${title} ====`, ...lines].join('\n\n')
  })
  return `${[head.join('\n'), ...chapters].join('\n\n')}\n`
}

function renderExampleSetting(key: string, setting: Setting): string {
  const byDefault = setting.fallbackText === '' ? '' : ` Default: ${setting.fallbackText}.`
  const text = `${setting.about}${byDefault}`.replaceAll('`', '')
  return [...wrap(text, 100).map((line) => `# ${line}`), `#${key}=${setting.example}`].join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** The files whose content on disk is not what the table says now, by their path. */
export function findStaleDocs(): string[] {
  return [...renderConfigDocs()]
    .filter(([path, content]) => readIfThere(path) !== content)
    .map(([path]) => path)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}

function main(): void {
  if (!process.argv.includes('--check')) {
    for (const [path, content] of renderConfigDocs()) writeFileSync(join(root, path), content)
    return
  }
  const stale = findStaleDocs()
  if (stale.length === 0) return
  console.error(`Not current: ${stale.join(', ')}. Run: node scripts/generate-config-docs.ts`)
  process.exitCode = 1
}

if (import.meta.main) main()
