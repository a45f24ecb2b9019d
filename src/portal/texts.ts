import type { Language } from '../policies/index.ts';
import { de } from './texts/de.ts';
import { en, type PortalTexts } from './texts/en.ts';
import { fr } from './texts/fr.ts';
import { it } from './texts/it.ts';

/** What the pages say, in every language of the service. */
export const texts: Readonly<Record<Language, PortalTexts>> = { de, fr, it, en };
