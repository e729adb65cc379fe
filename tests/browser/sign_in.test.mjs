// Signing in at the development accounts site, before and after the date, and what becomes of a link, in a real browser.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ways } from './magento.mjs';
import { start } from './system.mjs';
import { Visitor, launch } from './visitor.mjs';

const CONNECT = 'Connect with Magento.com';
const SIGN_IN = 'Sign in with Magento.com';

let browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A story has a system of its own, and as many visitors as it needs. */
const story = (provider, name, tell, variables) => test(name, async () => {
  const system = await start(provider, variables);
  const visitors = [];
  const arrives = async (options) => {
    visitors.push(await Visitor.arrive(browser, options));
    return visitors.at(-1);
  };
  try {
    await tell({ origin: system.origin, magento: ways[provider], arrives });
    for (const visitor of visitors) await visitor.leaves();
  } finally {
    await system.stop();
  }
});

/** From the settings page to Magento.com and back again as `name`. */
const connectsAs = async ({ magento }, visitor, name, tab = visitor.tab) => {
  await visitor.presses(CONNECT, tab);
  await visitor.sees(magento.signInPage, tab);
  await magento.signIn(tab, name);
  await visitor.sees('/user', tab);
};

/** Moves the clock of the whole system by the site's own tool. */
const movesTheClock = async ({ origin }, visitor, choice) => {
  await visitor.tab.goto(`${origin}/development/clock`);
  await visitor.sees('/development/clock');
  await visitor.presses(choice);
  await visitor.sees('/development/clock');
};

const pageText = (visitor) => visitor.tab.locator('main').innerText();

for (const provider of ['development', 'oidc-provider']) {
  describe(`with ${provider}`, () => {
    story(provider, 'link-only sign-in, connected, signed in: the whole round, the second time without a form', async (scene) => {
      const visitor = await scene.arrives();
      await visitor.signsIn(scene.origin, 'Alice');
      assert.match(await pageText(visitor), /Connecting your account is required now/);
      assert.equal(await visitor.tab.getByRole('link', { name: 'Account history' }).count(), 0);
      await connectsAs(scene, visitor, 'Alice');
      assert.match(await pageText(visitor), /Sign in with the connected account to use it/);

      await visitor.presses('Sign out');
      await visitor.sees('/sign-in');
      const seen = [];
      visitor.tab.on('framenavigated', (frame) => seen.push(new URL(frame.url()).pathname));
      await visitor.presses(SIGN_IN);
      await visitor.sees('/user');
      assert.deepEqual([...new Set(seen)], ['/user'], 'signed in at Magento.com already: no page on the way');
      assert.match(await visitor.reads(), /Status: Connected/);
      await visitor.tab.getByRole('link', { name: 'Account history' }).click();
      await visitor.sees('/user/history');
      assert.match(await pageText(visitor), /Connected to Magento\.com/);

      // Another machine, where nobody is signed in anywhere.
      const other = await scene.arrives();
      await other.tab.goto(`${scene.origin}/sign-in`);
      await other.sees('/sign-in');
      await other.presses(SIGN_IN);
      await other.sees(scene.magento.signInPage);
      await scene.magento.signIn(other.tab, 'Alice');
      await other.sees('/user');
      assert.match(await pageText(other), /Alice Martin/);
    });

    story(provider, 'an identity that nobody linked', async (scene) => {
      const visitor = await scene.arrives();
      await visitor.tab.goto(`${scene.origin}/sign-in`);
      await visitor.presses(SIGN_IN);
      await visitor.sees(scene.magento.signInPage);
      await scene.magento.signIn(visitor.tab, 'Alice');
      await visitor.sees('/sign-in');
      assert.match(await pageText(visitor), /No cloud account is connected to this login/);
    });

    story(provider, 'e-mail is refused to a linked account, which signs in as the page says', async (scene) => {
      const [here, there] = [await scene.arrives(), await scene.arrives()];
      await here.signsIn(scene.origin, 'Alice');
      await connectsAs(scene, here, 'Alice');
      await there.tab.goto(`${scene.origin}/sign-in`);
      await there.presses(/Alice/);
      await there.sees('/sign-in');
      assert.match(await pageText(there), /e-mail does not open it any more/);
      await there.presses(SIGN_IN);
      await there.sees(scene.magento.signInPage);
      await scene.magento.signIn(there.tab, 'Alice');
      await there.sees('/user');
      assert.match(await pageText(there), /Account history/);
    });
  });
}

describe('what becomes of a link', () => {
  const provider = 'development';

  story(provider, 'disconnecting names both accounts and frees the identity', async (scene) => {
    const visitor = await scene.arrives();
    await visitor.signsIn(scene.origin, 'Alice');
    await connectsAs(scene, visitor, 'Alice');
    await visitor.tab.locator('.sso-disconnect summary').click();
    const warning = /account \(a\*\*\*@example\.com\) will no longer open your cloud account \(alice@example\.com\)/;
    assert.match(await visitor.reads(), warning);
    await visitor.sees('/user');
    await visitor.presses('Disconnect');
    await visitor.tab.locator('.sso-status[data-linked=false]').waitFor();
    await visitor.sees('/user');
    assert.match(await visitor.reads(), /Your accounts are disconnected/);
  });

  story(provider, 'switching shows the old and the new, and replaces the old', async (scene) => {
    const visitor = await scene.arrives();
    await visitor.signsIn(scene.origin, 'Alice');
    await connectsAs(scene, visitor, 'Alice');
    await visitor.presses('Switch to another Magento.com account');
    await visitor.sees(scene.magento.signInPage);
    await scene.magento.signIn(visitor.tab, 'Bruno');
    await visitor.sees('/user');
    const question = await visitor.reads();
    for (const part of [/Switch to this Magento\.com account\?/, /bruno\.keller@shop\.example/, /Connected until now\s+a\*\*\*@example\.com/]) {
      assert.match(question, part);
    }
    await visitor.presses('Switch');
    await visitor.tab.getByText('Magento.com account: b***@shop.example').waitFor();
    await visitor.sees('/user');
  });

  story(provider, 'an identity in use says what to do and what to name to support', async (scene) => {
    const [alice, chloe] = [await scene.arrives(), await scene.arrives()];
    await alice.signsIn(scene.origin, 'Alice');
    await connectsAs(scene, alice, 'Alice');
    await chloe.signsIn(scene.origin, 'Chloé');
    await connectsAs(scene, chloe, 'Alice');
    const words = await chloe.reads();
    assert.match(words, /sign in to it and disconnect it first/);
    assert.match(words, /Reference for support: [\w=-]{16}\b/);
    assert.equal(new URL(chloe.tab.url()).search, '', 'told once');
    assert.match(words, /Status: Not connected/);
  }, { CONFIRM_LINK: 'never' });

  story(provider, 'a second identity for a linked account says how to switch', async (scene) => {
    const visitor = await scene.arrives();
    await visitor.signsIn(scene.origin, 'Alice');
    const second = await visitor.opensTab();
    await second.goto(`${scene.origin}/user`);
    await visitor.sees('/user', second);
    await connectsAs(scene, visitor, 'Alice');
    await visitor.presses('Use another Magento.com account', second);
    await visitor.sees(scene.magento.signInPage, second);
    await scene.magento.signIn(second, 'Bruno');
    await visitor.sees('/user', second);
    const words = await visitor.reads(second);
    assert.match(words, /choose to switch to another account/);
    assert.match(words, /a\*\*\*@example\.com/);
  }, { CONFIRM_LINK: 'never' });

  story(provider, 'before the date and after it', async (scene) => {
    const visitor = await scene.arrives();
    await movesTheClock(scene, visitor, 'One day before');
    await visitor.signsIn(scene.origin, 'Bruno');
    assert.match(await visitor.reads(), /Connecting is required from 1 April 2020/);
    await visitor.tab.getByRole('link', { name: 'Account history' }).click();
    await visitor.sees('/user/history');
    assert.match(await pageText(visitor), /Nothing has happened yet/);

    await movesTheClock(scene, visitor, 'That very instant');
    await visitor.signsIn(scene.origin, 'Bruno');
    assert.match(await visitor.reads(), /Connecting has been required since 1 April 2020/);
    assert.match(await pageText(visitor), /this is all that you can do here/);

    await movesTheClock(scene, visitor, 'One day before');
    await visitor.signsIn(scene.origin, 'Bruno');
    assert.match(await visitor.reads(), /Connecting is required from 1 April 2020/);
  });

  story(provider, 'without JavaScript, in French, on a narrow screen, in the dark', async (scene) => {
    const visitor = await scene.arrives({
      javaScriptEnabled: false, locale: 'fr-FR', viewport: { width: 320, height: 568 }, colorScheme: 'dark',
    });
    await visitor.signsIn(scene.origin, 'Alice');
    await visitor.presses('Se connecter avec Magento.com');
    await visitor.sees(scene.magento.signInPage);
    await scene.magento.signIn(visitor.tab, 'Alice');
    await visitor.sees('/user');
    await visitor.presses('Se déconnecter');
    await visitor.sees('/sign-in');
    await visitor.presses(/Alice/);
    await visitor.sees('/sign-in');
    assert.match(await pageText(visitor), /l’e-mail ne l’ouvre plus/);
    await visitor.presses('S’identifier avec Magento.com');
    await visitor.sees('/user');
    await visitor.tab.getByRole('link', { name: 'Historique du compte' }).click();
    await visitor.sees('/user/history');
    assert.match(await pageText(visitor), /Connecté à Magento\.com/);
    await visitor.tab.goto(`${scene.origin}/development/clock`);
    await visitor.sees('/development/clock');
  });
});
