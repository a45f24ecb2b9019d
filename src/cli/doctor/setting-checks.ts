import { createMailTransport, parseMailbox } from '../../kernel/mail/transport.ts';
import { fail, ok, warn, type Check } from './finding.ts';

const node: Check = {
  name: 'node',
  run: () =>
    Number.parseInt(process.versions.node, 10) >= 26
      ? ok(`Node ${process.versions.node}`)
      : fail(`Node ${process.versions.node} is too old`, 'start Askfirst by an npm script, which brings Node 26'),
};

const baseUrl: Check = {
  name: 'address',
  run: ({ settings }) => {
    if (settings.baseUrl === undefined)
      return warn(
        'BASE_URL is not set: only programs on this machine can ask',
        'set BASE_URL to the https address that people and systems will use',
      );
    return settings.baseUrl.startsWith('https:')
      ? ok(settings.baseUrl)
      : warn(
          `${settings.baseUrl} is not https: only this machine can reach it`,
          'set BASE_URL to an https address before anybody else is to use it',
        );
  },
};

const privateTargets: Check = {
  name: 'targets',
  run: ({ settings }) =>
    settings.allowPrivateTargets
      ? warn(
          'webhooks may go to private addresses and over plain http',
          'unset ALLOW_PRIVATE_TARGETS, unless this machine is for development',
        )
      : ok('webhooks go to public addresses over https only'),
};

const mail: Check = {
  name: 'mail',
  run: async ({ mail: sent, settings }) => {
    if (!sent)
      return warn(
        'there is no mail server: no answer can be confirmed by mail, and no task is mailed',
        'set MAIL_URL and MAIL_FROM',
      );
    const transport = createMailTransport(sent);
    try {
      const problem = await transport.verify();
      if (problem !== undefined)
        return fail(`mail cannot be sent: ${problem}`, 'check MAIL_URL: host, port, user and password');
    } finally {
      transport.close();
    }
    const domain = parseMailbox(sent.from)!.address.split('@').at(-1)!;
    const host = settings.baseUrl === undefined ? undefined : new URL(settings.baseUrl).hostname;
    const hint = `so that mail arrives, the DNS of ${domain} must name this server in SPF and hold the DKIM key that it signs with`;
    return ok(
      `the mail server takes our sign-in; ${hint}${host?.endsWith(domain) === false ? `; links in mails point to ${host}, which readers may find odd` : ''}`,
    );
  },
};

export const settingChecks: readonly Check[] = [node, baseUrl, privateTargets, mail];
