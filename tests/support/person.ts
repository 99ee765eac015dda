/** What a person does at the pages of the sign-in: reads headings, fills fields and presses buttons by the words on them. */
import type { Page } from 'playwright-core'

/** "Who are you?", by the development sign-in. @param name an address: its domain says of which tenants they are */
export async function signInAs (page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor()
  await page.getByLabel('Name for this development sign-in').fill(name)
  await page.getByRole('button', { name: 'Sign in with this name' }).click()
  await page.getByRole('heading', { name: 'Allow access to your graphs?' }).waitFor()
}

/** "May this app act for you?": yes. @param tenant chosen where there are several */
export async function allow (page: Page, tenant?: string): Promise<void> {
  await page.getByRole('heading', { name: 'Allow access to your graphs?' }).waitFor()
  if (tenant !== undefined) await page.getByRole('radio', { name: tenant }).check()
  await page.getByRole('button', { name: 'Allow access' }).click()
}

/** Both, as who meets an app for the first time. */
export async function signInAndAllow (page: Page, name: string, tenant?: string): Promise<void> {
  await signInAs(page, name)
  await allow(page, tenant)
}

/** Takes back what was allowed, where one app is connected. @param origin that of the gateway */
export async function disconnect (page: Page, origin: string, appName: string): Promise<void> {
  await page.goto(`${origin}/account`)
  await page.getByRole('button', { name: `Disconnect “${appName}”` }).click()
  await page.getByRole('status').filter({ hasText: 'Disconnected' }).waitFor()
}

/** All that a page says, as one line. */
export async function wordsOf (page: Page): Promise<string> {
  return (await page.getByRole('main').innerText()).replace(/\s+/g, ' ')
}
