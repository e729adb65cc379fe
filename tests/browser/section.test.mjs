// The section for everybody: without JavaScript, in French, on a narrow screen, by keyboard, in the dark.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ways } from './magento.mjs';
import { start } from './system.mjs';
import { Visitor, launch } from './visitor.mjs';

const magento = ways.development;
let browser;
let system;

before(async () => {
  browser = await launch();
  system = await start('development', { CONFIRM_LINK: 'always' });
});
after(async () => {
  await browser.close();
  await system.stop();
});

test('without JavaScript', async () => {
  const visitor = await Visitor.arrive(browser, { javaScriptEnabled: false });
  await visitor.signsIn(system.origin, 'Alice');
  await visitor.tab.getByRole('link', { name: 'Show the status' }).click();
  await visitor.sees('/sso/magento/status');
  assert.match(await visitor.reads(), /Status: Not connected/);
  await visitor.presses('Connect with Magento.com');
  await visitor.sees(magento.signInPage);
  await magento.signIn(visitor.tab, 'Alice');
  await visitor.sees('/user');
  await visitor.tab.getByRole('link', { name: 'Confirm the connection' }).click();
  await visitor.sees('/sso/magento/confirm');
  await visitor.presses('Connect');
  await visitor.sees('/user');
  await visitor.tab.getByRole('link', { name: 'Show the status' }).click();
  await visitor.sees('/sso/magento/status');
  assert.match(await visitor.reads(), /Status: Connected/);
  await visitor.leaves();
});

test('in French', async () => {
  const visitor = await Visitor.arrive(browser, { locale: 'fr-FR' });
  await visitor.signsIn(system.origin, 'Bruno');
  const words = await visitor.reads();
  for (const label of [/Authentification unique/, /Fournisseur\s: Magento\.com/, /Statut\s: Non connecté/]) {
    assert.match(words, label);
  }
  await visitor.presses('Se connecter avec Magento.com');
  await visitor.sees(magento.signInPage);
  assert.equal(await visitor.tab.locator('html').getAttribute('lang'), 'fr', 'the language of the page goes along');
  await magento.signIn(visitor.tab, 'Bruno');
  await visitor.sees('/user');
  assert.equal(await visitor.tab.locator('html').getAttribute('lang'), 'fr');
  await visitor.tab.locator('.sso-confirm button').first().click();
  await visitor.tab.locator('.sso-status[data-linked=true]').waitFor();
  await visitor.sees('/user');
  await visitor.leaves();
});

test('on a screen 320 px wide, in the dark', async () => {
  const visitor = await Visitor.arrive(browser, { viewport: { width: 320, height: 568 }, colorScheme: 'dark' });
  await visitor.signsIn(system.origin, 'Chloé');
  await visitor.presses('Connect with Magento.com');
  await visitor.sees(magento.signInPage);
  await magento.signIn(visitor.tab, 'Chloé');
  await visitor.sees('/user');
  await visitor.presses('Cancel');
  await visitor.tab.locator('.sso-confirm').waitFor({ state: 'detached' });
  await visitor.sees('/user');
  await visitor.tab.goto(`${system.origin}/sso/magento/callback`);
  await visitor.sees('/sso/magento/callback');
  await visitor.leaves();
});

test('by keyboard alone', async () => {
  const visitor = await Visitor.arrive(browser);
  await visitor.signsIn(system.origin, 'Chloé');
  const connect = visitor.tab.getByRole('button', { name: 'Connect with Magento.com' });
  for (let presses = 0; presses < 20 && !(await connect.evaluate((node) => node === document.activeElement)); presses += 1) {
    await visitor.tab.keyboard.press('Tab');
  }
  await visitor.tab.keyboard.press('Enter');
  await visitor.sees(magento.signInPage);
  await magento.signIn(visitor.tab, 'Chloé');
  await visitor.sees('/user');
  const focused = await visitor.tab.evaluate(() => document.activeElement.textContent);
  assert.match(focused, /Connect these two accounts\?/, 'reading begins where it happened');
  await visitor.leaves();
});
