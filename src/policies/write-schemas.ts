import { writeFile } from 'node:fs/promises';
import { jsonSchemas } from './json-schemas.ts';

// `node src/policies/write-schemas.ts`: editors read these by the first line of each file in policies/.
for (const [name, schema] of jsonSchemas()) {
  await writeFile(
    new URL(`../../policies/schema/${name}`, import.meta.url),
    JSON.stringify(schema, undefined, 2) + '\n',
  );
}
