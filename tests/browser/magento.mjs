// What people do at Magento.com, whoever plays it.

const password = 'correct horse battery staple';

const emails = { Alice: 'alice@example.com', Bruno: 'bruno.keller@shop.example', Chloé: 'chloe@example.com' };

/** The ways of each provider: where its pages are, and how to get through them. */
export const ways = {
  development: {
    signInPage: /magento\.localhost:\d+\/sign-in/,
    createAccountPage: /magento\.localhost:\d+\/create-account/,
    signIn: (tab, name) => tab.getByRole('button', { name: new RegExp(emails[name]) }).click(),
    createAccount: async (tab, email) => {
      await tab.getByLabel('Name', { exact: true }).fill('Somebody New');
      await tab.getByLabel('E-mail address').fill(email);
      await tab.getByRole('button', { name: 'Create a Magento.com account' }).click();
    },
  },
  'oidc-provider': {
    signInPage: /magento\.localhost:\d+\/interaction\//,
    createAccountPage: /magento\.localhost:\d+\/interaction\//,
    signIn: async (tab, name) => {
      await tab.getByLabel('E-mail address').fill(emails[name]);
      await tab.getByLabel('Password').fill(password);
      await tab.getByRole('button', { name: 'Sign in' }).click();
    },
    createAccount: async (tab, email) => {
      await tab.getByLabel('E-mail address').fill(email);
      await tab.getByRole('button', { name: 'Create account' }).click();
    },
  },
};
