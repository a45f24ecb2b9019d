import { defineConfig } from 'drizzle-kit';

/** The key store is a database of its own, so that a backup of the data holds no key (DESIGN section 5). */
export default defineConfig({ dialect: 'postgresql', schema: './src/kernel/crypto/table.ts', out: './drizzle/keys' });
