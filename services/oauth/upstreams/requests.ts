/** Requests to upstreams: limited in time and in size. */
import type { CustomFetch } from 'openid-client'
import { Agent, fetch as undiciFetch, type RequestInit } from 'undici'

/** For so long an answer may take, in seconds. */
export const timeoutSeconds = 5

/** No metadata, key set, token or page of a list comes near to it. */
const maxAnswerBytes = 1_048_576

const agent = new Agent({ maxResponseSize: maxAnswerBytes })

/** fetch that gives up on an answer of more than 1 MiB. */
export const boundedFetch: CustomFetch = async (url, options) => await undiciFetch(url, { ...options as RequestInit, dispatcher: agent }) as unknown as Response
