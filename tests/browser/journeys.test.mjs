// The journeys of the settings page in a real browser, with each provider.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ways } from './magento.mjs';
import { start } from './system.mjs';
import { Visitor, launch } from './visitor.mjs';

const CONNECT = 'Connect with Magento.com';

for (const provider of ['development', 'oidc-provider']) {
  describe(`with ${provider}`, () => {
    const magento = ways[provider];
    let browser;
    let system;
    let visitor;

    before(async () => {
      browser = await launch();
    });
    after(() => browser.close());

    /** A story has a system and a visitor of its own. */
    const story = (name, tell, variables) => test(name, async () => {
      system = await start(provider, variables);
      visitor = await Visitor.arrive(browser);
      try {
        await tell();
        await visitor.leaves();
      } finally {
        await system.stop();
      }
    });

    /** From the settings page to Magento.com and back again as `name`. */
    const connectsAs = async (name, tab = visitor.tab) => {
      await visitor.presses(CONNECT, tab);
      await visitor.sees(magento.signInPage, tab);
      await magento.signIn(tab, name);
      await visitor.sees('/user', tab);
    };

    story('method 1: sign in at Magento.com on the way', async () => {
      await visitor.signsIn(system.origin, 'Alice');
      assert.match(await visitor.reads(), /Status: Not connected/);
      await connectsAs('Alice');
      const words = await visitor.reads();
      assert.match(words, /Your accounts are connected/);
      assert.match(words, /Status: Connected/);
      assert.match(words, /a\*\*\*@example\.com/);
      assert.equal(new URL(visitor.tab.url()).search, '', 'the outcome is told once');
      await visitor.tab.reload();
      await visitor.sees('/user');
      assert.match(await visitor.reads(), /Status: Connected/);
    });

    story('method 2: already signed in at Magento.com in another tab, one click and no form', async () => {
      await visitor.signsIn(system.origin, 'Alice');
      const other = await visitor.opensTab();
      await other.goto(`${system.origin}/user`);
      await visitor.sees('/user', other);
      await visitor.presses(CONNECT, other);
      await visitor.sees(magento.signInPage, other);
      // The way back is cut: this tab only signs in.
      await visitor.forgetsFlows();
      await magento.signIn(other, 'Alice');
      await visitor.sees('/sso/magento/callback', other);

      const seen = [];
      visitor.tab.on('framenavigated', (frame) => seen.push(new URL(frame.url()).pathname));
      await visitor.presses(CONNECT);
      await visitor.tab.locator('.sso-status[data-linked=true]').waitFor();
      await visitor.sees('/user');
      assert.deepEqual([...new Set(seen)], ['/user'], 'no page on the way');
    });

    story('creating an account at Magento.com', async () => {
      await visitor.signsIn(system.origin, 'Bruno');
      await visitor.presses('I have no Magento.com account yet');
      await visitor.sees(magento.createAccountPage);
      await magento.createAccount(visitor.tab, 'bruno@example.com');
      await visitor.sees('/user');
      assert.match(await visitor.reads(), /Status: Connected/);
    });

    story('cancelling at Magento.com', async () => {
      await visitor.signsIn(system.origin, 'Alice');
      await visitor.presses(CONNECT);
      await visitor.sees(magento.signInPage);
      await visitor.presses('Cancel');
      await visitor.sees('/user');
      assert.match(await visitor.reads(), /Status: Not connected/);
      assert.equal(await visitor.tab.locator('.sso-message-title').count(), 1);
      await connectsAs('Alice');
      assert.match(await visitor.reads(), /Status: Connected/);
    });

    story('another e-mail address: compare, confirm, connected', async () => {
      await visitor.signsIn(system.origin, 'Bruno');
      await connectsAs('Bruno');
      const words = await visitor.reads();
      assert.match(words, /bruno@example\.com/);
      assert.match(words, /bruno\.keller@shop\.example/);
      assert.match(words, /Status: Not connected/);
      await visitor.presses('Connect');
      await visitor.tab.locator('.sso-status[data-linked=true]').waitFor();
      await visitor.sees('/user');
      assert.match(await visitor.reads(), /b\*\*\*@shop\.example/);
    });

    story('another e-mail address: declined', async () => {
      await visitor.signsIn(system.origin, 'Bruno');
      await connectsAs('Bruno');
      await visitor.presses('Cancel');
      await visitor.tab.locator('.sso-confirm').waitFor({ state: 'detached' });
      await visitor.sees('/user');
      assert.match(await visitor.reads(), /Status: Not connected/);
    });

    story('two tabs at once do not disturb one another', async () => {
      await visitor.signsIn(system.origin, 'Alice');
      const second = await visitor.opensTab();
      await second.goto(`${system.origin}/user`);
      await visitor.sees('/user', second);
      for (const tab of [visitor.tab, second]) {
        await visitor.presses(CONNECT, tab);
        await visitor.sees(magento.signInPage, tab);
      }
      for (const tab of [second, visitor.tab]) {
        await magento.signIn(tab, 'Alice');
        await visitor.sees('/user', tab);
        assert.match(await visitor.reads(tab), /Status: Connected/);
      }
    });

    story('the back button after connecting', async () => {
      await visitor.signsIn(system.origin, 'Alice');
      await connectsAs('Alice');
      await visitor.tab.goBack();
      await visitor.sees(/./);
      await visitor.tab.goto(`${system.origin}/user`);
      await visitor.sees('/user');
      assert.match(await visitor.reads(), /Status: Connected/);
    });
  });
}
