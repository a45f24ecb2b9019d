/** Unpacks Chromium into the folder that TMPDIR names: the package takes it from the environment, which no test should change for others. */
import chromium from '@sparticuz/chromium';

await chromium.executablePath();
