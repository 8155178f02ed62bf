import { defineConfig } from 'vite'

// `npm run dev` serves the page, and `npm start` beside it what is below /api.
export default defineConfig({ server: { proxy: { '/api': 'http://localhost:3000' } } })
