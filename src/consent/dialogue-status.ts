import { answersFor, type Answers, type Dimension, type Scope } from './answers.ts';
import { statusOfScope, type PurposeRules } from './consent-status.ts';

/** The purpose under which a person says whether, about what, where and by whom they want to be spoken to. */
export const dialogue = 'dialogue';

const couldMeet = (one: Scope, other: Scope): boolean =>
  (Object.keys(one) as Dimension[]).every((name) => other[name] === undefined || other[name] === one[name]);

/**
 * Whether the person wants to be spoken to so. `scope` names what is known of the message (channel, topic); `forms` how it comes: by a person or a bot, in
 * public or not. A wish that *could* be meant holds: who does not say what a message is about must reckon with the topic that was refused.
 * A "no to everything" is no such wish: whoever says it and then asks us something wants an answer. Pure.
 */
export const dialogueStatus = (
  answers: Answers,
  scope: Scope,
  forms: readonly string[],
  at: number,
  rules: PurposeRules,
): 'open' | 'refused' => {
  const wishes: Answers = { [dialogue]: answersFor(answers, dialogue) };
  const noes = wishes[dialogue]!.filter(({ act }) => act === 'no');
  const isRefused = (form: string): boolean => {
    const asked: Scope = { ...scope, form };
    const meant = noes.filter((no) => couldMeet(no.scope, asked)).map((no) => ({ ...asked, ...no.scope }));
    return meant.some((question) => statusOfScope(wishes, dialogue, question, at, rules).code === 'live-no');
  };
  return forms.some(isRefused) ? 'refused' : 'open';
};
