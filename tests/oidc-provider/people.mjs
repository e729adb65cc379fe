// Who has an account at Magento.com: the people of the development provider, so that one story fits both.

import { randomUUID } from 'node:crypto';

/** Everybody's. */
export const PASSWORD = 'correct horse battery staple';

const people = new Map([
  { sub: '6f1c0b7e-2d64-4d0c-9b0a-8b5a4a1f7c11', email: 'alice@example.com', email_verified: true },
  { sub: 'b92d5c3a-71f8-4c55-8f3e-0d9e63c2a522', email: 'bruno.keller@shop.example', email_verified: true },
  { sub: 'e4a80d19-95b6-4f7d-a1c7-3f27b8d6e933', email: 'chloe@example.com', email_verified: false },
].map((person) => [person.sub, person]));

/** The person with this subject. */
export const find = (sub) => people.get(sub);

/** The person who signs in with this address and this password. */
export const authenticate = (email, password) => (
  password === PASSWORD ? [...people.values()].find((person) => person.email === email) : undefined
);

/** The person with this subject has another address from now on. */
export const changeEmail = (sub, email) => {
  people.get(sub).email = email;
};

/** A new person, whose address counts as verified; nobody when it has an account already. */
export const register = (email) => {
  if (!email?.includes('@') || [...people.values()].some((person) => person.email === email)) {
    return undefined;
  }
  const person = { sub: randomUUID(), email, email_verified: true };
  people.set(person.sub, person);
  return person;
};
