import { useNumbers } from '../../fields/use-numbers.ts'

/** Writes numbers as people do, kept in their order within a text that is written from right to left. */
export function usePhoneText(): (e164: string) => string {
  const numbers = useNumbers()
  return (e164) => isolate(numbers?.readNumber(e164, undefined).international ?? e164)
}

/** Keeps a text from left to right as it is, whatever stands around it. */
export function isolate(text: string): string {
  return `\u2066${text}\u2069`
}
