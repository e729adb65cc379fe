// Somebody with a real browser, and eyes for what is wrong with a page.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

import { chromium } from 'playwright-core';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** How long a page may take; far more than any of ours does. */
const PATIENCE_MS = 15_000;

/** One Chromium for all tests of a file; each visitor has cookies of their own. */
export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

export class Visitor {
  #context;

  #complaints = [];

  #options;

  #runsScripts;

  /** What the visitor looks at. */
  tab;

  /** A visitor with a new browser profile. `options` are Playwright's for a context. */
  static async arrive(browser, options = {}) {
    const visitor = new Visitor();
    visitor.#context = await browser.newContext({ locale: 'en-GB', ...options });
    visitor.#options = { ...options, javaScriptEnabled: true };
    visitor.#runsScripts = options.javaScriptEnabled ?? true;
    visitor.#context.setDefaultTimeout(PATIENCE_MS);
    visitor.tab = await visitor.opensTab();
    return visitor;
  }

  /** A further tab of the same browser. */
  async opensTab() {
    const tab = await this.#context.newPage();
    // A policy that blocks something of ours, and a script that fails, say so here and nowhere else.
    tab.on('pageerror', (error) => this.#complaints.push(`${tab.url()}: ${error}`));
    tab.on('console', (message) => {
      if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) {
        this.#complaints.push(`${tab.url()}: ${message.text()}`);
      }
    });
    return tab;
  }

  /** Presses what is called `name`. */
  async presses(name, tab = this.tab) {
    await tab.getByRole('button', { name, exact: typeof name === 'string' }).click();
  }

  /** Waits until the page at `path`, and the section if there is one, is there; then nothing must be wrong with it. */
  async sees(path, tab = this.tab) {
    await tab.waitForURL((url) => (path instanceof RegExp ? path.test(url.href) : url.pathname === path));
    if (this.#runsScripts && await tab.locator('.sso').count() > 0) await tab.locator('.sso[data-ready]').waitFor();
    await this.#inspects(tab);
  }

  /** axe-core finds nothing, nothing is wider than the window, and nothing was blocked. */
  async #inspects(tab) {
    const { violations } = await this.#withScripts(tab, async (page) => {
      await page.evaluate(axe);
      return page.evaluate(() => globalThis.axe.run());
    });
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html }) => html).join('\n  ')}`);
    assert.deepEqual(found, [], `axe-core on ${tab.url()}`);
    const tooWide = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(tooWide <= 0, `${tab.url()} is ${tooWide} px wider than the window`);
    assert.deepEqual(this.#complaints, []);
  }

  /** Does `inspection`, which needs scripts, on the tab, or on what a tab without scripts shows. */
  async #withScripts(tab, inspection) {
    if (this.#runsScripts) return inspection(tab);
    const [url, shown] = [tab.url(), await tab.content()];
    const context = await this.#context.browser().newContext(this.#options);
    const copy = await context.newPage();
    await copy.route('**/*.js', (route) => route.abort());
    await copy.route(url, (route) => route.fulfill({
      contentType: 'text/html; charset=utf-8',
      // What waits for the script is inspected, too.
      body: shown.replaceAll('class="sso"', 'class="sso" data-ready'),
    }));
    await copy.goto(url);
    const found = await inspection(copy);
    await context.close();
    return found;
  }

  /** Signs in at accounts.magento.cloud. */
  async signsIn(origin, name) {
    await this.tab.goto(`${origin}/user`);
    await this.sees('/sign-in');
    await this.presses(new RegExp(name));
    await this.sees('/user');
  }

  /** Loses the cookies of the flows that were started. */
  async forgetsFlows() {
    await this.#context.clearCookies({ name: /^__Host-sso-flow-/ });
  }

  /** The words of the section. */
  async reads(tab = this.tab) {
    return tab.locator('.sso').innerText();
  }

  async leaves() {
    await this.#context.close();
    assert.deepEqual(this.#complaints, []);
  }
}
