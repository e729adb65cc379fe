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

/** Has the next request of the section for `route` answered so. */
const answersOnce = (tab, route, status, body) => tab.route(
  `**/sso/magento/${route}`,
  (request) => request.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) }),
  { times: 1 },
);

test('a status that does not come is asked for again', async () => {
  const visitor = await Visitor.arrive(browser);
  await visitor.signsIn(system.origin, 'Chloé');
  // As API Gateway says it, which is no problem document.
  await answersOnce(visitor.tab, 'status', 429, { message: 'Too Many Requests' });
  await visitor.tab.reload();
  await visitor.sees('/user');
  assert.match(await visitor.reads(), /Status: Not available/);
  assert.match(await visitor.reads(), /This is not possible at the moment/);
  await visitor.presses('Try again');
  await visitor.tab.getByRole('button', { name: 'Connect with Magento.com' }).waitFor();
  await visitor.sees('/user');
  assert.equal(await visitor.tab.evaluate(() => document.activeElement.className), 'sso', 'the focus is not lost with the button');
  assert.doesNotMatch(await visitor.reads(), /not possible/);
  await visitor.leaves();
});

test('a decision that could not be shown, or not be made, is offered again', async () => {
  const visitor = await Visitor.arrive(browser);
  await visitor.signsIn(system.origin, 'Chloé');
  await visitor.presses('Connect with Magento.com');
  await visitor.sees(magento.signInPage);
  await answersOnce(visitor.tab, 'confirm', 503, { code: 'temporarily_unavailable' });
  await magento.signIn(visitor.tab, 'Chloé');
  await visitor.sees('/user');
  assert.match(await visitor.reads(), /This is not possible at the moment/);
  assert.match(visitor.tab.url(), /sso=confirm/, 'a reload would ask again');
  await visitor.presses('Try again');
  await visitor.tab.locator('.sso-confirm').waitFor();
  await visitor.sees('/user');

  // Where a decision ends that failed on our side: what was to be decided is there still.
  await visitor.tab.goto(`${system.origin}/user?sso=temporarily_unavailable&provider=magento`);
  await visitor.sees('/user');
  assert.match(await visitor.reads(), /This is not possible at the moment/);
  await visitor.presses('Cancel');
  await visitor.tab.locator('.sso-confirm').waitFor({ state: 'detached' });
  await visitor.sees('/user');

  // And when nothing is there, it says so of itself only.
  await visitor.tab.goto(`${system.origin}/user?sso=temporarily_unavailable&provider=magento`);
  await visitor.sees('/user');
  assert.match(await visitor.reads(), /This is not possible at the moment/);
  assert.doesNotMatch(await visitor.reads(), /nothing to confirm/);
  assert.equal(new URL(visitor.tab.url()).search, '', 'it is told once');
  await visitor.leaves();
});

test('when the script does not come, forms and links do', async () => {
  const visitor = await Visitor.arrive(browser);
  await visitor.tab.route('**/section.js', (request) => request.abort());
  await visitor.tab.goto(`${system.origin}/user`);
  await visitor.sees('/sign-in');
  await visitor.presses(/Chloé/);
  for (const [role, name] of [['button', 'Connect with Magento.com'], ['link', 'Show the status'], ['link', 'Confirm the connection']]) {
    await visitor.tab.getByRole(role, { name }).waitFor();
  }
  await visitor.tab.getByRole('link', { name: 'Show the status' }).click();
  await visitor.sees('/sso/magento/status');
  await visitor.leaves();
});
