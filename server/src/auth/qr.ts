import { encode } from 'uqr'

/** White around the symbol, in modules (ISO/IEC 18004 §6.3.8). */
const QUIET_ZONE = 4
const PIXELS_PER_MODULE = 4

/**
 * Draws a text as a QR code, in SVG that can stand in a page of whatever colours and under whatever content security
 * policy: it has no style, no script, and refers to nothing. `title` is what a screen reader says in its place.
 */
export function qrSvg(text: string, title: string): string {
  const { data, size } = encode(text, { ecc: 'M', border: QUIET_ZONE })
  const rows = data.map((row) => row.map((isDark) => (isDark ? '#' : ' ')).join(''))
  // One shape for neighbours: between two shapes a scaled picture may have a white hair.
  const runs = rows.flatMap((row, y) =>
    Array.from(row.matchAll(/#+/g), ({ 0: { length }, index: x }) => `M${x} ${y}h${length}v1h-${length}z`),
  )
  const pixels = size * PIXELS_PER_MODULE
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${pixels}" height="${pixels}"`,
    ` viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><title>${escape(title)}</title>`,
    `<rect width="${size}" height="${size}" fill="#fff"/><path fill="#000" d="${runs.join('')}"/></svg>`,
  ].join('')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
