// Runs before every npm script, also on a Node that is far too old: plain CommonJS of 2015, no dependency.
'use strict';

if (parseInt(process.versions.node, 10) < 26) {
  console.error(
    [
      'Askfirst needs Node 26; this is Node ' + process.versions.node + ' (' + process.execPath + ').',
      '',
      'Its npm scripts usually bring their own: `npm ci` installs a Node 26 for this machine as an optional dependency,',
      'and `npm run` prefers it to the one of the system. It is not there. Either',
      '  - run `npm ci` again, without --omit=optional and --no-bin-links, and start Askfirst by an npm script, or',
      '  - install Node 26 (https://nodejs.org) where no such package exists for ' +
        process.platform +
        '-' +
        process.arch +
        '.',
    ].join('\n'),
  );
  process.exit(1);
}
