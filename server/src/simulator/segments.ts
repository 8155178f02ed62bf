const GSM = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\f^{}\\[~\]|€]*$/
const DOUBLE = /[\f^{}\\[~\]|€]/g

/** How many SMS a text is billed as (GSM 03.38): one character outside its alphabet makes every other cost more. */
export function countSegments(text: string): number {
  if (!GSM.test(text)) return text.length <= 70 ? 1 : Math.ceil(text.length / 67)
  const septets = text.length + (text.match(DOUBLE)?.length ?? 0)
  return septets <= 160 ? 1 : Math.ceil(septets / 153)
}
