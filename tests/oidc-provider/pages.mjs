// The pages that somebody sees at Magento.com: plain forms, so that every browser can use them.

const escaped = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

const page = (title, main) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – Magento.com</title>
<main>
<h1>${title}</h1>
${main}
</main>
</html>
`;

const form = (fields, button, others = '') => `<form method="post">
${fields}
<p><button name="decision" value="go">${button}</button></p>
</form>
<form method="post">
<p>${others}<button name="decision" value="cancel">Cancel</button></p>
</form>`;

const alert = (problem) => (problem ? `<p role="alert">${escaped(problem)}</p>\n` : '');

const emailField = (email) => `<p><label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" required value="${escaped(email ?? '')}"></p>`;

/** Who are you? */
export const signInPage = ({ email, problem } = {}) => page(
  'Sign in to Magento.com',
  alert(problem) + form(
    `${emailField(email)}
<p><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required></p>`,
    'Sign in',
    '<button name="decision" value="create">Create an account</button> ',
  ),
);

/** Who do you want to be? */
export const createAccountPage = ({ email, problem } = {}) => page(
  'Create a Magento.com account',
  alert(problem) + form(emailField(email), 'Create account'),
);

/** You are somebody already: go on as that, or be somebody else. */
export const chooseAccountPage = (person) => page(
  'Choose a Magento.com account',
  form('', `Continue as ${escaped(person.email)}`, '<button name="decision" value="other">Use another account</button> '),
);

/** What the provider answers when there is no client to answer to. */
export const errorPage = ({ error, error_description: description }) => page(
  'This did not work',
  `<p role="alert">${escaped(error)}: ${escaped(description ?? 'no description')}</p>`,
);
