export { answerPage, page, requestLanguage, type Html, type Page } from './layout.ts';
export { stylesheetRoutes } from './stylesheet.ts';
