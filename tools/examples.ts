/** Rewrites the answers in api-spec/examples/ from a live service: `node tools/gen-api.ts --examples`. Says which changed. */
import { readExamples } from '@bessemer/api-spec/testing';
import { answersOf, withoutChance } from '@bessemer/api/docs/testing';

/** Plays every file. An answer that differs only in what chance drew stays as it is. */
export async function rewriteExamples(): Promise<void> {
  for (const file of readExamples()) {
    const answers = await answersOf(file);
    const had = withoutChance(file.examples);
    const has = withoutChance(answers);
    const changed = answers.filter((_, i) => JSON.stringify(has[i]) !== JSON.stringify(had[i]));
    if (changed.length === 0) continue;
    file.write(answers);
    console.log(`examples: ${file.name}: ${changed.length} of ${answers.length} answers are others now`);
  }
}
