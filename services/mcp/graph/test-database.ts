/** A FalkorDB of its own for a test file, and short ways to ask it. */
import t from 'tap'
import { createClient } from 'redis'
import { GatewayError } from '@gateway/common/errors.ts'
import { freePort } from '../../../dev/free-port.ts'
import { startFalkordb } from '../../../dev/programs/falkordb.ts'
import { connectGraphDatabase, type GraphCall, type GraphDatabaseOptions } from './client.ts'
