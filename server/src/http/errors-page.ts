import { STATUS, TITLES } from './errors.ts'

/** The page that the `type` of every problem points at: each code with its status and title. */
export function errorsPage(): string {
  const rows = Object.entries(STATUS)
    .map(
      ([code, status]) =>
        `<tr id="${code}"><td><code>${code}</code><td>${status}<td>${TITLES[code as keyof typeof TITLES]}`,
    )
    .join('\n')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Errors · Countersign</title>
<h1>Errors</h1>
<p>Every error answer is a problem (RFC 9457) with one of these stable codes.
<table>
<tr><th>code<th>status<th>title
${rows}
</table>
`
}
