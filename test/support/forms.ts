export { submit, visit, type Visited } from '../../src/demo/browser.ts';
