// Lambda's Runtime API in fifteen lines, and what both functions share.
import { createDecipheriv } from "node:crypto";
import { request, Agent } from "node:http";
import { createLocalJWKSet, jwtVerify } from "jose";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true });

const call = (method, path, body) =>
  new Promise((resolve, reject) => {
    const sent = request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve([response.headers, Buffer.concat(chunks)]));
    });
    sent.on("error", reject);
    sent.end(body);
  });

export async function serve(handle) {
  for (;;) {
    const [headers, event] = await call("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await call("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(event))));
    } catch (error) {
      await call("POST", `${id}/error`, JSON.stringify({ errorMessage: String(error.stack) }));
    }
  }
}

const sessionKeys = createLocalJWKSet(JSON.parse(process.env.SESSION_JWKS));

export function cookies(event) {
  return new Map(event.cookies.map((cookie) => [cookie.slice(0, cookie.indexOf("=")), cookie.slice(cookie.indexOf("=") + 1)]));
}

export async function session(cookies) {
  const { payload } = await jwtVerify(cookies.get("__Host-accounts-session"), sessionKeys, {
    algorithms: ["ES256", "RS256", "EdDSA"],
    issuer: process.env.SESSION_ISSUER,
    audience: process.env.SESSION_AUDIENCE,
    clockTolerance: 30,
  });
  return payload;
}

const flowKey = Buffer.from(process.env.FLOW_KEYS, "base64");

export function open(name, sealed) {
  const bytes = Buffer.from(sealed, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", flowKey, bytes.subarray(0, 12));
  decipher.setAAD(Buffer.from(name));
  decipher.setAuthTag(bytes.subarray(-16));
  return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]));
}

const secured = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-content-type-options": "nosniff",
};

export const json = (value) => ({
  statusCode: 200,
  headers: { ...secured, "content-type": "application/json" },
  body: JSON.stringify(value),
});

export const seeOther = (location, cookies = []) => ({ statusCode: 303, headers: { ...secured, location }, cookies, body: "" });

export function log(record) {
  console.log(JSON.stringify({ timestamp: new Date().toISOString(), level: "INFO", ...record }));
}
