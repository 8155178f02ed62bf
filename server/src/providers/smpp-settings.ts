import type { IdForms } from './smpp-ids.ts'

/** How a long text travels: in parts that each have a header, or whole in the TLV `message_payload`. */
export type LongTexts = 'parts' | 'payload'

/** How to reach an SMSC. */
export type SmppSettings = {
  /** `smpp://user:password@host:2775`, or `smpps://` for TLS (port 3550 unless told). Both parts percent-encoded. */
  readonly url: string
  /** The sender: E.164, a short code, or letters. */
  readonly from: string
  /** Type of number and numbering plan of the sender, where its form does not tell what the SMSC wants. */
  readonly fromTon?: number | undefined
  readonly fromNpi?: number | undefined
  /** Submits without an answer at once (default 10). */
  readonly window?: number | undefined
  /** Submits that may wait for a place in the window (default 100, at least 25: the parts of a text go together). */
  readonly queue?: number | undefined
  /** For connecting, the answer to a bind, to a submit and to an `enquire_link`, each (default 10). */
  readonly responseTimeoutSeconds?: number | undefined
  /** How often a link is asked whether it lives (default 30). */
  readonly enquireSeconds?: number | undefined
  /** The first pause before binding again (default 1,000); it doubles up to 30 s. */
  readonly reconnectMs?: number | undefined
  /** Default `parts`. */
  readonly longTexts?: LongTexts | undefined
  /** Default `same`. */
  readonly messageIds?: IdForms | undefined
  /** Whether `err` in a receipt's text is a GSM network's code (default no: many SMSCs have their own). */
  readonly gsmErrors?: boolean | undefined
  readonly systemType?: string | undefined
  readonly serviceType?: string | undefined
  /** Certificates to trust instead of the machine's, PEM. */
  readonly ca?: string | undefined
}
