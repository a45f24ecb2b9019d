export { confirmLink, type LinkageDeps } from './confirm-link.ts';
export { dropLink } from './drop-link.ts';
export { unlinkWhatFell } from './fall.ts';
export { halvesOf } from './half.ts';
export { readLinks } from './read-links.ts';
export { findLinked } from './find-linked.ts';
export { linkRoutes } from './routes.ts';
export { sweepLinks } from './sweep-links.ts';
export { unlink } from './unlink.ts';
