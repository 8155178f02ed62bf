import ajvCompiler, { type BuildCompilerFromPool } from '@fastify/ajv-compiler'
import type { FastifySchemaControllerOptions } from 'fastify/types/schema.js'

type BuildSerializer = NonNullable<
  NonNullable<FastifySchemaControllerOptions['compilersFactory']>['buildSerializer']
>
/** Fastify reads what was wrong from the function that it called. */
type Validate = ((data: unknown) => unknown) & { errors?: unknown }
type Build = (schemas: unknown, options: unknown) => (route: unknown) => Validate

/** Shared by all apps of a process, which have the same schemas: each is compiled once. */
const build = ajvCompiler() as unknown as Build

const buildWhenAsked: Build = (schemas, options) => {
  let compile: ReturnType<Build> | undefined
  return (route) => {
    let compiled: Validate | undefined
    const validate: Validate = (data) => {
      compile ??= build(schemas, options)
      compiled ??= compile(route)
      const isValid = compiled(data)
      validate.errors = compiled.errors
      return isValid
    }
    return validate
  }
}

/**
 * Compiles the schema of a route's input when a request first needs it. Compiling all of them takes most of the time
 * of a start, and most servers are asked for a few.
 */
export const buildValidator = buildWhenAsked as unknown as BuildCompilerFromPool

/** The views in `schemas.ts` write every answer member by member, so there is nothing left for a schema to filter. */
export const buildSerializer: BuildSerializer = () => () => (answer) => JSON.stringify(answer)
