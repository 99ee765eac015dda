/** The gateway's errors where MCP has no `isError`: resources, prompts and completions answer with errors of the protocol. */
import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server'
import { GatewayError } from '@gateway/common/errors.ts'

/** Does the work; a GatewayError becomes a ProtocolError with the same public message, type and code. */
export async function told<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof GatewayError ? protocolError(error) : error
  }
}

function protocolError ({ type, code, status, message, details }: GatewayError): ProtocolError {
  const wrong = status < 500 && status !== 429
  return new ProtocolError(wrong ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError, message, { type, code, ...(details && { details }) })
}
