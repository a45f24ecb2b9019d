import { linking } from './chapters/linking.ts';
import { signingUp } from './chapters/signing-up.ts';
import { oneClick } from './chapters/one-click.ts';
import { browserSaysNo } from './chapters/browser-says-no.ts';
import { childAndParent } from './chapters/child-and-parent.ts';
import { wishes } from './chapters/wishes.ts';
import { narrator } from './narrator.ts';
import { createScene } from './scene.ts';
import type { Stage } from './stage.ts';

/** Plays the chapters on the stage and tells them; answers the last decision about a link. Throws at the first thing that comes out otherwise. */
export const play = async (stage: Stage): Promise<{ decisionId: string }> => {
  let number = 0;
  const scene = createScene(stage, (title, story) => narrator.step(++number, title, story));
  try {
    const decisionId = await linking(scene);
    for (const chapter of [signingUp, oneClick, browserSaysNo, childAndParent, wishes]) await chapter(scene);
    return { decisionId };
  } catch (error) {
    throw new Error(`Step ${number} differs: ${(error as Error).message}`, { cause: error });
  }
};
