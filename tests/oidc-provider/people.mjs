// Who has an account at Magento.com. Beside the cloud accounts of the same names they show the three ways a first link can go: the
// same address, another address, and an address that nobody has verified.

import { randomUUID } from 'node:crypto';

/** Everybody's. */
export const PASSWORD = 'correct horse battery staple';

const people = new Map([
  { sub: 'alice|5f0c', email: 'alice@example.com', email_verified: true },
  { sub: 'bruno|71f8', email: 'bruno.keller@shop.example', email_verified: true },
  { sub: 'chloe|95b6', email: 'chloe@example.com', email_verified: false },
].map((person) => [person.sub, person]));

/** The person with this subject. */
export const find = (sub) => people.get(sub);

/** The person who signs in with this address and this password. */
export const authenticate = (email, password) => (
  password === PASSWORD ? [...people.values()].find((person) => person.email === email) : undefined
);

/** A new person, whose address counts as verified; nobody when it has an account already. */
export const register = (email) => {
  if (!email?.includes('@') || [...people.values()].some((person) => person.email === email)) {
    return undefined;
  }
  const person = { sub: randomUUID(), email, email_verified: true };
  people.set(person.sub, person);
  return person;
};
