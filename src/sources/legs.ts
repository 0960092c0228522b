import * as z from 'zod';

/** Legs by name, in the order in which they are wanted. */
export const legList = z
  .array(z.enum(['video', 'audio'], 'a leg is "video" or "audio"'))
  .min(1, 'name at least one leg')
  .refine((legs) => new Set(legs).size === legs.length, 'name each leg once')
  .readonly();
